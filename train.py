"""python train.py [experiment=NAME] [group=option] [key=value] ...   (`zoo list` shows the experiments)"""

from zoo.run.train import main

if __name__ == "__main__":
    main()
