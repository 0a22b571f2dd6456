"""What can be asked of notifications: tell guardians, and set how a person is reached."""
