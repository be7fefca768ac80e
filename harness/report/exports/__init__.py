"""Files for other tools: a trace, a Markdown summary, tables of requests, metrics for dashboards and CI services."""
