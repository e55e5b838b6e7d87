"""What a network is: channel configs, coupling, surgery, cost. Knows torch and torchvision only; nothing of ours."""
