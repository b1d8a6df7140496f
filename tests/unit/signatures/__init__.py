"""Signatures: statements, headers, the trust file, keys, and what each of them may say."""
