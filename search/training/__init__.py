"""Training one network: loop, augmentation, checkpoints, and how it is computed on this machine."""
