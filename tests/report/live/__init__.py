"""Tests of the live terminal: its pictures, and the process that draws them."""
