"""Faults on purpose: what can be done to the processes, the servers and the lines between them.

`world` starts a system that can be hurt, `kinds` are the faults, `nemesis` throws them by a seeded dice;
`traffic` asks meanwhile, `observer` reads all topics from outside, `verdicts` say whether everything held.
"""
