"""Other TCP stacks, scanners and tools against ours, in namespaces of their own."""
