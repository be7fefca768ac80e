"""The whole chain: servers, measuring, judgement, verdict; with what goes well and with what goes wrong."""
