"""The engine: supervises venues, keeps the book, drives cancels to a proven end. It knows no screen."""
