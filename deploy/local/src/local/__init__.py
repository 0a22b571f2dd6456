"""The system on one machine: servers, supervisor, command line, and the ninth process."""
