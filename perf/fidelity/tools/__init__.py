"""Whole load-testing tools: run as their users run them, judged by what their own reports say of each request."""
