"""What is found in data that can be read: copies, damage, balance; and the page that shows it."""
