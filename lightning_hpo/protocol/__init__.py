"""What controller, jobs and report agree on: messages, names of files, attributes, seeds."""
