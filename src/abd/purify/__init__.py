"""`abd purify`: a small student from a teacher that nobody vouches for, and a verdict.

It writes a params.yaml of its own and runs the study's rules on it; see `abd.purify.run`.
"""
