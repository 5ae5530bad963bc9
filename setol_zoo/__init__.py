"""The front door: `import setol_zoo as zoo`, and the `setol` command."""
