"""What is there against what is asked: records compared with plans, and sent to MLflow."""
