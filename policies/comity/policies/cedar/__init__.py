"""Cedar: policy texts and their rules, facts as the engine reads them, errors, and reasons."""
