"""The service `setup` of compose.yaml: configuration rendered and handed out to containers."""
