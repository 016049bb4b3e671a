"""What an optimizer chooses and what it learns of a point. Pure but for the optimizer itself."""
