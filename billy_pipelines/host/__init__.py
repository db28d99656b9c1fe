"""`billy up`, `billy down`, `billy demo`: processes, ports, signals. What the product does is in the other rooms."""
