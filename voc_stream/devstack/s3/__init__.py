"""S3 by moto, with its objects kept over a restart."""
