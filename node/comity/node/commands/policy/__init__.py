"""Commands on policy: versions, treaties, trials, explanation and simulation."""
