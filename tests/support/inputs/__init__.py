"""What tests give the product: messages, stored rows, signed records, and hostile input."""
