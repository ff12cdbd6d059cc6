"""Train and score traffic-sign detectors: python train.py fit --config configs/quickstart.yaml."""

import sys

try:
    from detaug.program import main
except RuntimeError as error:
    # A torchvision that was built for another torch breaks even Lightning's import.
    if "torchvision::" not in str(error):
        raise
    sys.exit("error: this torchvision does not fit this torch; install the pair that constraints.txt names.")

if __name__ == "__main__":
    sys.exit(main())
