"""What is learned from answers: how they drift, how often they are right, which pictures to label."""
