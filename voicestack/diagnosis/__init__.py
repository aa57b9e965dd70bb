"""What is wrong with a stack: look at every leg of a call, judge, name the one cause."""
