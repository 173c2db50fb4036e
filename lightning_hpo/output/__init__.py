"""What leaves the process: no secret in it, no control character obeyed, no stream in its way."""
