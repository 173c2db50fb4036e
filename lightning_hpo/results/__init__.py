"""What studies leave, as samples, in statistics and in words."""
