"""Practice venues: real servers on 127.0.0.1 that model the venues. They share no code with `venues`."""
