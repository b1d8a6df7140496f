"""What Rollguard costs, measured on the broker and the database that are configured."""
