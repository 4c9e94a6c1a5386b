"""Policy as this node applies it: facts, handling classes, versions, treaties and decisions."""
