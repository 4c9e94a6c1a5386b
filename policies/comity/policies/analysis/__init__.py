"""What a policy's rules do, found by reason alone: rules that do nothing or overflow."""
