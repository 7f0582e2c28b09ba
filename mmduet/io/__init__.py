"""Files: finding and hashing them, writing them in one step, reading weights and pickles without running what they say.

Imports nothing of mmduet.
"""
