"""What more trials could still gain, and the study that ends where that is too little."""
