"""The fault plan where plugins really run: containers, shared homes, forks, pools, small limits."""
