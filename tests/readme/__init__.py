"""Every command and every snippet of the README, run."""
