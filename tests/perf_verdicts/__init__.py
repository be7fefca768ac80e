"""The verdicts' simulations: their arithmetic, and what they say of the table that is checked in."""
