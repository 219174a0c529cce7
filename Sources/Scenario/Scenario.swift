import UserPages
