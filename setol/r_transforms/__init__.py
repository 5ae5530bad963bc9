"""R-transforms: the layer quality of SETOL under each model of the spectrum."""
