"""Files: finding, hashing, writing in one step; reading images, weights and pickles without running what they say.

Imports nothing of mmduet.
"""
