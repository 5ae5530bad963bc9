"""The theory's claims about networks that are trained here: a file a claim, from tables to a verdict."""
