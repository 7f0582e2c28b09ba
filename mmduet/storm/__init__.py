"""A storm over a training: killed, stopped and damaged again and again, and compared with one that was left alone."""
