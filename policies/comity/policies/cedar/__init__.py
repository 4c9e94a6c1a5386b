"""The Cedar engine: parsed policies, their rules, faults against the schema, reasons in words."""
