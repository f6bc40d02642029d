"""Looking into a trained MiCo: nearest anchors, the mixing of the Cluster Reducers."""
