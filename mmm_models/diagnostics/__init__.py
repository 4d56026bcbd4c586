"""What a panel and a fitted model cannot tell, found before anybody relies on it and said in plain words."""
