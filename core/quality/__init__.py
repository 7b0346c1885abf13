"""How good results are where there is no truth: cheap signs of trouble, and the frames a person should look at."""
