"""A second opinion: packets, cookies and the SYN cache in plain Python.

Written from the specification alone, with dictionaries and lists, for clarity and not
for speed.  Nothing here imports syncache, so that a mistake has to be made twice, in
two languages, before the tests miss it.
"""
