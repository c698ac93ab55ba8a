"""What dead processes left: found, judged, and sent by whoever comes next on this host."""
