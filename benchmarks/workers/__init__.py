"""What several processes on one address cost and give: measured here, simulated for a larger machine."""
