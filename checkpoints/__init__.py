"""Weight files: fetched, opened safely, walked tensor by tensor, cut into matrices."""
