"""What studies leave: their folders read, as samples, in statistics and in words."""
