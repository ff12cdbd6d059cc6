"""Train and score traffic-sign detectors: python train.py fit --config configs/quickstart.yaml."""

import sys

from detaug.program import main

if __name__ == "__main__":
    sys.exit(main())
