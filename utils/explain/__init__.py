"""What a trained model looks at: patches, maps, anchors."""
