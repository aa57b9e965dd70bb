"""Set-up that a person can watch: Go, the servers, Redis, weights; cached and repeatable."""
