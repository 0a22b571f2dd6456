"""The ninth process, `local`: what in deployment is the world outside. Development only, loopback only.

Identity provider, population register, bank, mail server and SMS gateway, small but true to their protocols.
No rule of the system lives here.
"""
